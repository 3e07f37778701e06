package azure

import "github.com/omnibucket/storage"

// CopyInBlocks makes a driver copy objects larger than limit in blocks of the
// given size.
func CopyInBlocks(d storage.Driver, limit, block int64) {
	d.(*driver).copier.limit, d.(*driver).copier.block = limit, block
}
