package storagetest

import (
	"testing"

	"go.uber.org/goleak"
)

// leakCase runs when all others are done; that no body is left open is proved
// by each of them, with its own bucket.
var leakCase = Case{
	Name: "nothing is left running", Rule: "L1",
	Explanation: "no goroutine outlives its call: after all cases, with every bucket closed, there are as many as before",
}

func goroutines() goleak.Option { return goleak.IgnoreCurrent() }

// serving is a connection of a server that runs in the test's own process: when it
// refuses a request before the body's end, net/http waits half a second before it
// closes, which is longer than is waited here.
const serving = "net/http.(*conn).serve"

func requireNoGoroutines(t *testing.T, baseline goleak.Option) {
	t.Helper()
	if err := goleak.Find(baseline, goleak.IgnoreAnyFunction(serving)); err != nil {
		t.Errorf("%s\n%v", leakCase.Explanation, err)
	}
}
