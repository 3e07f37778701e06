package engine

import (
	"github.com/omnibucket/storage/internal/buffer"
)

func newBuffer(o *operation) *buffer.Buffer { return buffer.New(o.core.bufferLimit, &o.overGrants) }
