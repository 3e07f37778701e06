package storagetest

import (
	"testing"

	"go.uber.org/goleak"
)

// leakCase runs after all other cases. Each of them proves for its own bucket that no
// body is left open.
var leakCase = Case{
	Name: "nothing is left running", Rule: "L1",
	Explanation: "no goroutine outlives its call: after all cases, with every bucket closed, there are as many as before",
}

func goroutines() goleak.Option { return goleak.IgnoreCurrent() }

// serving names the goroutine of a server in the test's own process. If such a server
// refuses a request before the end of the body, net/http keeps the connection for half
// a second, which is longer than this test waits.
const serving = "net/http.(*conn).serve"

func requireNoGoroutines(t *testing.T, baseline goleak.Option) {
	t.Helper()
	if err := goleak.Find(baseline, goleak.IgnoreAnyFunction(serving)); err != nil {
		t.Errorf("%s\n%v", leakCase.Explanation, err)
	}
}
