-- Aggregates by day in Athena (engine version 3), without a crawler: partitions follow from the query.
-- By hour: the same with `hourly` for `daily`. BUCKET is rallyuxr-STAGE-ACCOUNT-REGION.
-- Times are UTC. Amounts have four decimals whatever the currency. Every query names one merchant.
CREATE EXTERNAL TABLE rallyuxr_daily (
  `start` timestamp,
  `end` timestamp,
  currency string,
  orders bigint,
  items bigint,
  customers bigint,
  new_customers bigint,
  returning_customers bigint,
  gross decimal(38, 4),
  discounts decimal(38, 4),
  refunds decimal(38, 4),
  net decimal(38, 4),
  shipping decimal(38, 4),
  tax decimal(38, 4),
  visits bigint,
  visit_hours bigint,
  visit_orders bigint,
  statuses map<string, bigint>,
  channels array<struct<channel: string, orders: bigint, net: decimal(38, 4)>>,
  products array<struct<sku: string, quantity: bigint, gross: decimal(38, 4)>>,
  arms array<struct<
    experiment_id: string, arm: string,
    visits: bigint, visit_hours: bigint, visit_orders: bigint,
    orders: bigint, items: bigint, customers: bigint,
    net: decimal(38, 4), net_squares: decimal(38, 8),
    customer_orders_squares: bigint, customer_net_squares: decimal(38, 8), customer_orders_net: decimal(38, 4)
  >>
)
PARTITIONED BY (merchant string, `month` string)
STORED AS PARQUET
LOCATION 's3://BUCKET/aggregates/v1/parquet/daily/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.merchant.type' = 'injected',
  'projection.month.type' = 'date',
  'projection.month.format' = 'yyyy-MM',
  'projection.month.range' = '1899-12,NOW+1MONTHS',
  'projection.month.interval' = '1',
  'projection.month.interval.unit' = 'MONTHS',
  'storage.location.template' = 's3://BUCKET/aggregates/v1/parquet/daily/merchant=${merchant}/month=${month}/'
);

-- SELECT "start", orders, net FROM rallyuxr_daily
-- WHERE merchant = 'berlin-books' AND "month" BETWEEN '2025-01' AND '2025-03' ORDER BY "start";
