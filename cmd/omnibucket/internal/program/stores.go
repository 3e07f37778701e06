package program

import (
	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/locations"
)

// Stores opens the buckets and accounts that arguments of a command name. It adds layers and
// options of the flags.
type Stores struct {
	Lookup      func(name string) (value string, set bool) // returns an environment variable
	Config      *locations.Config                          // configuration file
	Buckets     *OpenBuckets
	CacheDir    string // directory of serve --cache, or ""
	ReadOnly    bool   // true if serve --read-only was given
	Raw         bool   // true if cat --raw was given
	flags       *globalFlags
	isTemporary bool           // true if a store in memory ends with the command
	layers      []driver.Layer // layers that every bucket has
	retry       storage.RetryPolicy
}
