package engine

import (
	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/unexported"
)

// natives checks that the driver takes the options, and returns their values.
func (c *core) natives(given []unexported.Native) ([]any, *storage.Error) {
	if len(given) == 0 {
		return nil, nil
	}
	values := make([]any, len(given))
	for i, n := range given {
		if n.Provider != c.desc.Provider || c.desc.CheckNative == nil {
			return nil, unsupported("an option of "+n.Provider+" does not fit "+c.desc.Provider+" here", "")
		}
		if err := c.desc.CheckNative(n.Value); err != nil {
			return nil, ownError(err)
		}
		values[i] = n.Value
	}
	return values, nil
}
