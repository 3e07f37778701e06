package azure

import (
	"github.com/omnibucket/storage/driver"
)

// CopyInBlocks makes a driver copy objects larger than limit in blocks of the
// given size.
func CopyInBlocks(d driver.Driver, limit, block int64) {
	d.(*objectDriver).copier.limit = limit
	d.(*objectDriver).copier.block = block
}
