package s3

import "github.com/omnibucket/storage"

// LowerCopyLimit has d copy what is larger than limit in parts of limit bytes.
func LowerCopyLimit(d storage.Driver, limit int64) {
	d.(*driver).copyLimit, d.(*driver).copyPart = limit, limit
}
