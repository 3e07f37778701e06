package s3

import (
	"github.com/omnibucket/storage/driver"
)

// LowerCopyLimit makes d copy objects larger than limit in parts of limit bytes.
func LowerCopyLimit(d driver.Driver, limit int64) {
	d.(*objectDriver).copier.limit = limit
	d.(*objectDriver).copier.part = limit
}
