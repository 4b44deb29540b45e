"""What somebody wants to be told: credit that runs low, limits that fill, top-ups. Written once each, in the
transaction in which it became so; read over HTTP.

``levels`` decides (pure); ``watching`` looks at subscriptions whose usage or terms changed.
"""
