"""Raw to staging: text cleaning of new and changed rows."""
