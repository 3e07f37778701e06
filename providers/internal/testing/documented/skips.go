package documented

import (
	"net/http"
	"path"
	"strings"

	"github.com/omnibucket/storage/storagetest"
)

// An exception limits the answers that are sent in a test case, and gives the reason. It can also
// skip the case.
type exception struct {
	reason string
	// If omits returns true, the answer is not sent. If omits is nil, the test case is skipped.
	omits func(method string, a *Answer) bool
}

var (
	oneDriver  = exception{"the case calls the driver, and the engine repeats requests", nil}
	oneAttempt = exception{"the case makes one attempt", nil}
	losesOne   = exception{
		"the case loses one response, and fails reads after it",
		func(string, *Answer) bool { return true },
	}
	countsCalls  = exception{"the case counts reads and writes", nil}
	countsWrites = exception{
		"the case counts writes, or has a fault of its own at one",
		func(method string, _ *Answer) bool { return !isRead(method) },
	}
	countsReads = exception{
		"the case counts reads, or has a fault of its own at one",
		func(method string, _ *Answer) bool { return isRead(method) },
	}
	ambiguous = exception{
		"after an answer that does not exclude an effect, a refusal of the repeated request is OutcomeUnknown, not the refusal",
		func(method string, a *Answer) bool { return !isRead(method) && !a.NoEffect },
	}
	countsVersions = exception{
		"a write that is repeated makes another version", func(_ string, a *Answer) bool { return a.Done },
	}
	countsUploads = exception{
		"a begin that is repeated leaves another upload, and the removal of parts makes three attempts",
		func(method string, a *Answer) bool { return a.Done || method == http.MethodDelete },
	}
	undecided = exception{
		"an open upload has ended if its completion, which may have had an effect, is refused when it is repeated",
		func(method string, _ *Answer) bool { return !isRead(method) },
	}
	// countsPages excludes all answers to reads. It also excludes answers that throttle the client.
	// After such an answer, the client would delay the prefetch of the next page.
	countsPages = exception{
		"the case counts requests that a throttled bucket holds back",
		func(method string, a *Answer) bool { return isRead(method) || a.throttles() },
	}
)

func isRead(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// exceptions maps the name of a test case to its exception. In a test case with an exception, a
// Server does not send some answers, because the case would fail with them.
var exceptions = map[string]exception{
	"a driver's Put reads the body to its end":                oneDriver,
	"a driver stores nothing if the body fails":               oneDriver,
	"a driver's missing object":                               oneDriver,
	"a driver shows what was written last":                    oneDriver,
	"a driver reads ranges":                                   oneDriver,
	"a driver lists pages in order":                           oneDriver,
	"a driver's parts are invisible until they are completed": oneDriver,
	"a driver's batch returns an error for each request":      oneDriver,
	"a driver does not keep requests":                         oneDriver,

	"a failing reader loses the prefix":                   oneAttempt,
	"a failed transfer gives its memory back":             oneAttempt,
	"RemoveAll continues after failures":                  oneAttempt,
	"an object that cannot be read stays unknown":         oneAttempt,
	"a body that changed after its completion was lost":   oneAttempt,
	"a completion whose response was lost is found":       oneAttempt,
	"an update that another client overtook is abandoned": oneAttempt,
	"no abort after an unknown outcome":                   oneAttempt,
	"every option that is not declared is Unsupported":    oneAttempt,

	"hooks run around every operation": countsCalls,

	"without metadata a lost response stays unknown":                                  countsWrites,
	"a write by an older release is reconciled":                                       countsWrites,
	"the write id is the library's own":                                               countsWrites,
	"an outcome that cannot be reconciled is unknown":                                 countsWrites,
	"an update that another client overwrote":                                         countsWrites,
	"an update that created the object, which another client then overwrote":          countsWrites,
	"a completion whose response was lost needs no body":                              countsWrites,
	"an interrupted upload is resumed":                                                countsWrites,
	"an interrupted copy is resumed":                                                  countsWrites,
	"a different call starts over":                                                    countsWrites,
	"a conflict on completion restarts the upload":                                    countsWrites,
	"only the failed part is sent again":                                              countsWrites,
	"a body too long for Put is sent in parts":                                        countsWrites,
	"parts are sequential if the provider requires it":                                countsWrites,
	"a bucket has a default part size":                                                countsWrites,
	"a body that can seek is sent again":                                              countsWrites,
	"an upload that is canceled while it begins leaves nothing":                       countsWrites,
	"a stream that fails after a copy by the server may have taken effect is unknown": countsWrites,
	"a removal of many objects that failed after a lost response is unknown":          countsWrites,
	"a cancelled upload aborts on a context of its own":                               countsWrites,
	"a conditional removal that another client overtook":                              countsWrites,

	"a listing yields one error, last":                        countsReads,
	"RemoveMatching removes what matches":                     countsReads,
	"a write id under an older name is hidden and not copied": countsReads,
	"a source that changes under a copy is Changed":           countsReads,
	"a start, a limit and a token in a tree":                  countsReads,
	"ReadRanges reads one revision":                           countsReads,
	"near ranges are one request":                             countsReads,
	"adjacent ReadAts are one request for each block":         countsReads,
	"a long ReadAt is one request":                            countsReads,
	"concurrent ReadAts of a block share one request":         countsReads,
	"entries have their attributes":                           countsReads,
	"an object that is removed under a download is Changed":   countsReads,
	"an object that changes under a download is Changed":      countsReads,
	"an object that changes under a slow read is Changed":     countsReads,
	"an ordered concurrency of 1 is one request":              countsReads,
	"the next page is prefetched":                             countsPages,
	"a canceled listing makes no further request":             countsPages,

	"a delete marker is removed by its version":       countsVersions,
	"RemoveVersions removes versions in batches":      countsVersions,
	"removing a version is permanent":                 countsVersions,
	"a malformed version is refused":                  countsVersions,
	"removing without a version keeps older versions": countsVersions,
	"every write is kept as a version":                countsVersions,
	"versions under a prefix":                         countsVersions,
	"a version is restored by a copy onto its key":    countsVersions,
	"a noncurrent version says since when":            countsVersions,

	"uploads in progress are listed":                 countsUploads,
	"a listed upload is continued without its token": countsUploads,

	"IfRevision guards Remove":                                                ambiguous,
	"exactly one concurrent updater wins":                                     ambiguous,
	"an open upload replaces one revision":                                    ambiguous,
	"a source that changes before the server's copy is Changed":               ambiguous,
	"a bucket without object lock refuses locks":                              ambiguous,
	"a retention in the mode Compliance can only be extended":                 ambiguous,
	"a legal hold keeps an object":                                            ambiguous,
	"what is under retention stays":                                           ambiguous,
	"a retention can be ended":                                                ambiguous,
	"a retention in the mode Governance can be bypassed":                      ambiguous,
	"tags of a missing object":                                                ambiguous,
	"IfRevision guards the destination of a copy":                             ambiguous,
	"IfRevision guards the destination of a move":                             ambiguous,
	"a copy onto itself may have a condition":                                 ambiguous,
	"an object grows by Compose":                                              ambiguous,
	"a source that is replaced while it is copied stays":                      ambiguous,
	"IfRevision replaces only the revision that was read":                     ambiguous,
	"a bucket that locks objects keeps them":                                  ambiguous,
	"concurrent updates are all counted":                                      ambiguous,
	"conditions guard Append":                                                 ambiguous,
	"conditions guard Append, streamed":                                       ambiguous,
	"each of several writers appends its bytes once":                          ambiguous,
	"each of several writers appends its bytes once, streamed":                ambiguous,
	"a source that is removed before the server's copy is Changed or missing": ambiguous,
	"an append whose response was lost never adds its bytes twice":            losesOne,
	"an append whose response was lost never adds its bytes twice, streamed":  losesOne,
	"an object that another writer replaces meanwhile grows":                  ambiguous,
	"an object that another writer replaces meanwhile grows, streamed":        ambiguous,
	"a listed upload keeps its condition if that is given again":              undecided,
	"a fault at every call of Remove of a revision, retried":                  ambiguous,
}

// SkipCore skips rules that the engine keeps in the same way for every driver: the order and number
// of ranges, the use of memory, and writes that are never repeated. Other runs of the test suite
// check these rules.
func SkipCore() storagetest.Option {
	return storagetest.SkipRules("the answers of Amazon test the engine", "R6", "R7", "R8", "T2", "W2")
}

// Skips returns options that skip the test cases that fail if the Server sends any Answer, and those in
// extra, which maps the name of a case to the reason for skipping it.
func Skips(extra map[string]string) []storagetest.Option {
	var opts []storagetest.Option
	for name, e := range exceptions {
		if e.omits == nil {
			opts = append(opts, storagetest.Skip(name, e.reason))
		}
	}
	for name, reason := range extra {
		opts = append(opts, storagetest.Skip(name, reason))
	}
	return opts
}

// omitsFor returns the function that reports whether an answer must be omitted in a test, or nil if all
// answers may be sent. The last element of the test's name is the name of the test case.
func (s *Server) omitsFor(test string) (omits func(method string, a *Answer) bool) {
	isTestOf := func(testCase string) bool { return strings.ReplaceAll(testCase, " ", "_") == path.Base(test) }

	// The functions of the Server take precedence over those of this package.
	for testCase, omits := range s.Omits {
		if isTestOf(testCase) {
			return omits
		}
	}
	for testCase, e := range exceptions {
		if isTestOf(testCase) {
			return e.omits
		}
	}
	return nil
}
