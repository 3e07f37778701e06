//go:build omnibucket_sdks

// A build tag selects this file, because linking the SDKs of the clouds takes four seconds of
// processor time. Only tests with servers need them.

package transfer_test

import (
	_ "github.com/omnibucket/storage/providers/azure"
	_ "github.com/omnibucket/storage/providers/gcs"
	_ "github.com/omnibucket/storage/providers/s3"
)
