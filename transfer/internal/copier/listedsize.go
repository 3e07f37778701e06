package copier

import (
	"fmt"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer/internal/ends"
)

// checkListedSize fails with Internal if an object has another size than in the listing, although it has
// the same revision. A proxy that drops the length of a response makes an object look empty.
func checkListedSize(op string, listed ends.Entry, attrs *storage.Attrs) error {
	if listed.Revision == "" || attrs.Revision != listed.Revision || attrs.Size == listed.Size {
		return nil
	}
	return &storage.Error{
		Code: storage.Internal,
		Op:   op,
		Key:  listed.Key,
		Err:  fmt.Errorf("the object has %d bytes in the listing, and %d when it is read", listed.Size, attrs.Size),
		Hint: "look for a proxy between here and the store that changes responses",
	}
}
