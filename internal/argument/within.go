package argument

import (
	"errors"
	"fmt"

	"github.com/omnibucket/storage"
)

// Within returns err with the prefix "what: " in its text. A *storage.Error keeps its code and its
// hint.
func Within(what string, err error) error {
	storageErr, isOurs := errors.AsType[*storage.Error](err)
	if !isOurs {
		return fmt.Errorf("%s: %w", what, err)
	}
	clone := *storageErr
	clone.Err = fmt.Errorf("%s: %w", what, storageErr.Err)
	return &clone
}
