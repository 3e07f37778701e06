package uploads_test

import (
	"testing"

	"go.uber.org/goleak"

	_ "github.com/omnibucket/storage/internal/testing/memoryfiles"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
