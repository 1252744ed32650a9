"""CloudWatch alarms."""

from infra import specs
from infra.cloud import Cloud
from infra.resources.base import Properties, Resource


class Alarm(Resource):
    """Fires when the largest value of five minutes lies above a bound."""

    kind = "alarm"

    def __init__(self, cloud: Cloud, alarm: specs.Alarm) -> None:
        super().__init__(cloud, cloud.name(alarm.name))
        self.alarm = alarm

    def wanted(self) -> Properties:
        dimension, resource = self.alarm.dimension
        return {
            "AlarmDescription": self.alarm.meaning,
            "Namespace": self.alarm.namespace,
            "MetricName": self.alarm.metric,
            "Dimensions": [{"Name": dimension, "Value": self.cloud.name(resource)}],
            "Statistic": "Maximum",
            "Period": 300,
            "EvaluationPeriods": 1,
            "Threshold": self.alarm.above,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
        }

    def read(self) -> Properties | None:
        there = self.cloud.alarms.describe_alarms(AlarmNames=[self.name])["MetricAlarms"]
        return {key: there[0].get(key) for key in self.wanted()} if there else None

    def create(self) -> None:
        self.cloud.alarms.put_metric_alarm(AlarmName=self.name, **self.wanted())

    def delete(self) -> None:
        self.cloud.alarms.delete_alarms(AlarmNames=[self.name])
