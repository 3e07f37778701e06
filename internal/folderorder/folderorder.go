// Package folderorder makes a server of package s3server list like SeaweedFS, which only the tests
// of this module need. Such a server lists like a directory tree, with all of "a/…" before "a-b". It
// does so also in pages, with a delimiter and with start-after.
package folderorder

// Hook changes an s3server.Config, to which it gets a pointer. Package s3server sets it.
var Hook func(config any)

// With returns a copy of an s3server.Config whose server lists in this order.
func With[Config any](c Config) Config {
	Hook(&c)
	return c
}
