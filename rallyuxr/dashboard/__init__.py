"""What the workbench's pages are made of: session, cached loaders, formatting, figures and panels."""
