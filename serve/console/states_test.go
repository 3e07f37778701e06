package console

import (
	"testing"
	"time"

	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/uploadstest"
)

// The states in memory pass the suite of States.
func TestMemoryStates(t *testing.T) {
	uploadstest.RunStates(t, func(*testing.T) uploads.States { return &memoryStates{now: time.Now} })
}
