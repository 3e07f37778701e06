//go:build omnibucket_sdks

// A build tag selects this file, because linking the SDKs of these providers takes four seconds of processor time.
// Only tests with a server need them.

package lease_test

import (
	_ "github.com/omnibucket/storage/providers/azure"
	_ "github.com/omnibucket/storage/providers/gcs"
	_ "github.com/omnibucket/storage/providers/s3"
)
