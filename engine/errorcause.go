package engine

import (
	"github.com/omnibucket/storage"
)

// advise adds a hint to a Code that means the same for every provider.
func advise(e *storage.Error) {
	switch {
	case e.Hint != "":
	case e.Code == storage.PreconditionFailed && state(e).Absent:
		e.Hint = "the key exists already"
	case e.Code == storage.BucketExists && e.Unknown:
		e.Hint = "this call may have created the bucket, without its settings: call UpdateBucket with them"
	case e.Code == storage.BucketNotFound:
		e.Hint = "check the bucket's name, account, region and endpoint, or create it with Service.CreateBucket"
	}
}
