package argument

import (
	"errors"
	"fmt"

	"github.com/omnibucket/storage"
)

// Within returns err with the prefix "what: " in its text. A *storage.Error keeps its code and its
// hint.
func Within(what string, err error) error {
	e, isOurs := errors.AsType[*storage.Error](err)
	if !isOurs {
		return fmt.Errorf("%s: %w", what, err)
	}
	clone := *e
	clone.Err = fmt.Errorf("%s: %w", what, e.Err)
	return &clone
}
