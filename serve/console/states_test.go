package console

import (
	"testing"
	"time"

	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/uploadstest"
)

// The console's States in memory pass the suite for States.
func TestMemoryStates(t *testing.T) {
	uploadstest.RunStates(t, func(*testing.T) uploads.States { return &memoryStates{now: time.Now} })
}
