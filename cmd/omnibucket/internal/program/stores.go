package program

import (
	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/config"
	"github.com/omnibucket/storage/driver"
)

// Stores finds and opens what the arguments of a command name: buckets with their layers, and accounts.
type Stores struct {
	Lookup   func(name string) (value string, set bool) // an environment variable
	Config   config.Content
	Buckets  *OpenBuckets
	CacheDir string // serve --cache, or ""
	ReadOnly bool   // serve --read-only
	Raw      bool   // cat --raw
	flags    *globalFlags
	ends     bool           // what is in memory ends with the command
	layers   []driver.Layer // of every bucket
	retry    storage.RetryPolicy
}
