"""Raw to staging: how text is cleaned, and only that of new rows."""
