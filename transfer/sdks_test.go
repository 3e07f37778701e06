//go:build omnibucket_sdks

// This file links the SDKs of the clouds, which takes four seconds of processor time. Only tests with servers need
// them, so they have a build tag.

package transfer_test

import (
	_ "github.com/omnibucket/storage/providers/azure"
	_ "github.com/omnibucket/storage/providers/gcs"
	_ "github.com/omnibucket/storage/providers/s3"
)
