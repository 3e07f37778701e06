package filesapi_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	_ "github.com/omnibucket/storage/internal/testing/memoryfiles"
)

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) != "" {
		os.Exit(play())
	}
	goleak.VerifyTestMain(m)
}
