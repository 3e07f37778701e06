package s3

import "github.com/omnibucket/storage"

// LowerCopyLimit makes d copy objects larger than limit in parts of limit bytes.
func LowerCopyLimit(d storage.Driver, limit int64) {
	d.(*driver).copyLimit, d.(*driver).copyPart = limit, limit
}
