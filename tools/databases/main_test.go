package databases_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(senderVariable); text != "" {
		os.Exit(runSender(text))
	}
	goleak.VerifyTestMain(m)
}
