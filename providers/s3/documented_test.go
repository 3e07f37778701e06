package s3_test

import (
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/documented"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/storagetest"
)

const leastPart = 64 << 10 // of an upload, in the servers of these tests

// Amazon's rules, and the transient answers that Amazon documents.
func TestFurtherConformanceWithAmazonsTransientAnswers(t *testing.T) {
	s, answering := answeringServer(t, "aws", documented.Amazon)
	conform(t, s, withSmallParts, append(documented.Skips(nil), storagetest.WithName("s3"))...)
	storagetest.RunService(t, func(t *testing.T) storage.Service {
		front := httptest.NewTLSServer(answering.For(t))
		t.Cleanup(front.Close)
		service, err := s3.NewService(t.Context(), amazonAt(t, front.URL), // at its own hosts, which have blocks of public access
			storage.WithRetry(storage.RetryPolicy{Attempts: 30, MaxDelay: time.Millisecond}))
		require.NoError(t, err)
		return service
	}, storagetest.WithName("s3"))
	answering.RequireAllGiven(t, amazonsRare...)
}

// amazonsRare has kinds of which the suite makes fewer requests than there are answers.
var amazonsRare = []string{"POST restore", "PUT retention"}

// The kin of Amazon have other transient answers, to the same requests.
func TestFurtherConformanceWithTransientAnswersOfKin(t *testing.T) {
	for name, answers := range map[string][]documented.Answer{"r2": documented.R2, "spaces": documented.Spaces} {
		t.Run(name, func(t *testing.T) {
			s, answering := answeringServer(t, name, answers)
			conform(t, s, withSmallParts, append(documented.Skips(nil), storagetest.WithName("s3"), onlyRules("D1", "D2", "L1", "R1", "R2", "T1", "W1", "W3", "W5", "W7"))...)
			answering.RequireAllGiven(t)
		})
	}
}

// answeringServer starts a server of Amazon's rules behind a stand-in.
func answeringServer(t *testing.T, name string, answers []documented.Answer) (*testServer, *documented.Server) {
	t.Helper()
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for it
	server, err := s3server.Start(s3server.Config{Strict: name == "aws", Limits: s3server.Limits{MinPartSize: leastPart}})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	answering := documented.New(server, documented.AmazonKind, answers)
	front := httptest.NewServer(answering)
	t.Cleanup(front.Close)
	s := &testServer{name: name, endpoint: server.URL, key: s3server.DefaultAccessKeyID, secret: s3server.DefaultSecretKey, made: answering.Add}
	s.raw = s.clientOver(withoutKeepAlive())
	s.endpoint = front.URL
	return s, answering
}

func withSmallParts(d storage.Driver) storage.Driver { return smallParts{d, leastPart} }

// onlyRules leaves out the cases of all other rules.
func onlyRules(rules ...string) storagetest.Option {
	var others []string
	for _, c := range storagetest.Cases() {
		if !slices.Contains(rules, c.Rule) && !slices.Contains(others, c.Rule) {
			others = append(others, c.Rule)
		}
	}
	return storagetest.SkipRules("the answers of Amazon test them", others...)
}
