//go:build omnibucket_sdks

// To link the SDKs of all stores takes four seconds of processor time. Without a server, no test needs them.

package overlay_test

import (
	_ "github.com/omnibucket/storage/providers/azure"
	_ "github.com/omnibucket/storage/providers/gcs"
	_ "github.com/omnibucket/storage/providers/s3"
)
