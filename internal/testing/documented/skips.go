package documented

import (
	"strings"

	"github.com/omnibucket/storage/storagetest"
)

// Reasons to leave out a case.
const (
	oneDriver   = "the case calls the driver, and the core repeats requests"
	oneAttempt  = "the case makes one attempt"
	countsCalls = "the case counts requests, or has a fault of its own at the first or second"
	ambiguous   = "after a 500 that may have had an effect, a refusal of the repeated request is OutcomeUnknown, not the refusal"
)

// skipped has the cases that no transient answer may disturb.
var skipped = map[string]string{
	"a driver's Put reads the body to its end":                oneDriver,
	"a driver stores nothing if the body fails":               oneDriver,
	"a driver's missing object":                               oneDriver,
	"a driver reads ranges":                                   oneDriver,
	"a driver lists pages in order":                           oneDriver,
	"a driver's parts are invisible until they are completed": oneDriver,
	"a driver's batch returns an error for each request":      oneDriver,
	"a driver does not keep requests":                         oneDriver,

	"a failing reader loses the prefix":                   oneAttempt,
	"RemoveAll continues after failures":                  oneAttempt,
	"an object that cannot be read stays unknown":         oneAttempt,
	"a body that changed after its completion was lost":   oneAttempt,
	"a completion whose response was lost is found":       oneAttempt,
	"an update that another client overtook is abandoned": oneAttempt,
	"no abort after an unknown outcome":                   oneAttempt,
	"every option that is not declared is Unsupported":    oneAttempt,
	"a listing yields one error, last":                    oneAttempt,

	"without metadata a lost response stays unknown":                                  countsCalls,
	"a write by an older release is reconciled":                                       countsCalls,
	"a write id under an older name is hidden and not copied":                         countsCalls,
	"the write id is the library's own":                                               countsCalls,
	"an outcome that cannot be reconciled is unknown":                                 countsCalls,
	"an update that another client overwrote":                                         countsCalls,
	"an update that created the object, which another client then overwrote":          countsCalls,
	"a completion whose response was lost needs no body":                              countsCalls,
	"an interrupted upload is resumed":                                                countsCalls,
	"an interrupted copy is resumed":                                                  countsCalls,
	"a different call starts over":                                                    countsCalls,
	"a conflict on completion restarts the upload":                                    countsCalls,
	"a source that changes under a copy is Changed":                                   countsCalls,
	"only the failed part is sent again":                                              countsCalls,
	"a body too long for Put is sent in parts":                                        countsCalls,
	"parts are sequential if the provider requires it":                                countsCalls,
	"a bucket has a default part size":                                                countsCalls,
	"a body that can seek is sent again":                                              countsCalls,
	"a failed transfer gives its memory back":                                         countsCalls,
	"a canceled listing makes no further request":                                     countsCalls,
	"an upload that is canceled while it begins leaves nothing":                       countsCalls,
	"a stream that fails after a copy by the server may have taken effect is unknown": countsCalls,
	"a removal of many objects that failed after a lost response is unknown":          countsCalls,
	"a cancelled upload aborts on a context of its own":                               countsCalls,
	"the next page is prefetched":                                                     countsCalls,
	"a start, a limit and a token in a tree":                                          countsCalls,
	"hooks run around every operation":                                                countsCalls,
	"ReadRanges reads one revision":                                                   countsCalls,
	"near ranges are one request":                                                     countsCalls,
	"adjacent ReadAts are one request for each block":                                 countsCalls,
	"a long ReadAt is one request":                                                    countsCalls,
	"concurrent ReadAts of a block share one request":                                 countsCalls,
	"entries have their attributes":                                                   countsCalls,
	"an object that is removed under a download is Changed":                           countsCalls,
	"an object that changes under a download is Changed":                              countsCalls,
	"an ordered concurrency of 1 is one request":                                      countsCalls,

	"IfRevision guards Remove":                                  ambiguous,
	"exactly one concurrent updater wins":                       ambiguous,
	"concurrent updates are all counted":                        ambiguous,
	"an open upload replaces one revision":                      ambiguous,
	"a source that changes before the server's copy is Changed": ambiguous,
	"a bucket without object lock refuses locks":                ambiguous,
	"a retention can be ended":                                  ambiguous,
	"a retention in the mode Governance can be bypassed":        ambiguous,
	"tags of a missing object":                                  ambiguous,
}

// Skips returns the options that leave out the cases that no transient answer may disturb. also
// has further cases, with reasons; a case of both is left out once.
func Skips(also map[string]string) []storagetest.Option {
	var opts []storagetest.Option
	for name, reason := range skipped {
		opts = append(opts, storagetest.Skip(name, reason))
	}
	for name, reason := range also {
		opts = append(opts, storagetest.Skip(name, reason))
	}
	for _, c := range storagetest.Cases() {
		if strings.HasPrefix(c.Name, "a fault at every call of ") && !strings.HasSuffix(c.Name, ", retried") {
			opts = append(opts, storagetest.Skip(c.Name, oneAttempt))
		}
	}
	return opts
}
