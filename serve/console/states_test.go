package console

import (
	"testing"
	"time"

	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/uploadstest"
)

func TestStatesInMemory(t *testing.T) {
	uploadstest.RunStates(t, func(*testing.T) uploads.States { return &memoryStates{now: time.Now} })
}
