package s3

import "github.com/omnibucket/storage"

// LowerCopyLimit makes d copy objects larger than limit in parts of limit bytes.
func LowerCopyLimit(d storage.Driver, limit int64) {
	d.(*driver).copier.limit, d.(*driver).copier.part = limit, limit
}
