package filesapi_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	_ "github.com/omnibucket/storage/internal/testing/memoryfiles"
)

// TestMain plays the role that the environment names, or runs the tests and looks for leaked goroutines.
func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) != "" {
		os.Exit(play())
	}
	goleak.VerifyTestMain(m)
}
