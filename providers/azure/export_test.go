package azure

import "github.com/omnibucket/storage"

// CopyInBlocks has a driver copy in blocks of so many bytes what is larger than
// limit.
func CopyInBlocks(d storage.Driver, limit, block int64) {
	d.(*driver).copyLimit, d.(*driver).copyBlock = limit, block
}
