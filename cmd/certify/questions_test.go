//go:build omnibucket_sdks

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/s3server"
)

// The page for maintainers lists all questions that certify asks of a provider.
func TestQuestionsOfThePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/maintainers/questions.md")
	require.NoError(t, err)
	_, section, _ := strings.Cut(string(page), "## Open questions\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var gotRows []string
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "| `") {
			gotRows = append(gotRows, strings.TrimSpace(line))
		}
	}

	var wantRows []string
	for _, q := range questions {
		wantRows = append(wantRows, fmt.Sprintf("| `%s` | %s | %s | %s |", q.id, q.account, q.text, q.does))
	}
	require.Equal(t, wantRows, gotRows,
		"write these lines into docs/maintainers/questions.md:\n%s", strings.Join(wantRows, "\n"))
}

// Each question has an id of its own, a cost and answers.
func TestQuestionsAreComplete(t *testing.T) {
	ids := map[string]bool{}
	for _, q := range questions {
		require.False(t, ids[q.id], q.id)
		ids[q.id] = true
		require.NotEmpty(t, q.cost, q.id)
		require.NotEmpty(t, q.answers, q.id)
	}
}

// ask runs certify with its questions about the account at an address. It returns the answers by
// the ids of the questions, and what the program prints.
func ask(t *testing.T, address string, flags ...string) (answers map[string]answer, output string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "result.json")
	cmd := certify(t, append(flags, "-yes", "-questions", "-o", path, address)...)
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", text)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var r result
	require.NoError(t, json.Unmarshal(data, &r))
	require.Empty(t, r.Suites, "no case runs")

	answers = map[string]answer{}
	for _, a := range r.Questions {
		isAnswered := a.Answer != ""
		isOpen := a.Open != ""
		require.True(t, isAnswered != isOpen, "%v", a)
		answers[a.ID] = a
	}
	require.Len(t, answers, len(questions), "each question has an answer, or says why not")
	return answers, string(text)
}

// requireNoBucket requires that the account has no bucket that certify has created.
func requireNoBucket(t *testing.T, address string) {
	t.Helper()
	s, err := storage.OpenService(t.Context(), address)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	for b, err := range s.Buckets(t.Context()) {
		require.NoError(t, err)
		require.NotContains(t, b.Name, "omnibucket-certify-")
	}
}

// serverAnswers are the answers of servers that are not clouds. These servers give no answer to the other questions.
var serverAnswers = map[string]map[string]string{
	"minio": {
		"s3-part-copy-condition": "enforced", "s3-versions-at-once": "all kept", "s3-signed-forms": "enforced", "s3-public-bucket": "yes",
	},
	"azurite": {
		"azure-copy-source":        "the service reads its sources",
		"azure-tier":               "none: the account has it",
		"azure-block-ids":          "no",
		"azure-leftover-blocks":    "no",
		"azure-uncommitted-create": "no",
	},
}

// The servers on this machine give the answers in serverAnswers, and no question fails.
func TestQuestionsToServers(t *testing.T) {
	for name, open := range accounts {
		t.Run(name, func(t *testing.T) {
			address := open(t)

			answers, output := ask(t, address)
			for id, want := range serverAnswers[name] {
				require.Equal(t, want, answers[id].Answer, "%s: %s", id, output)
			}
			for _, a := range answers {
				require.NotContains(t, a.Open, "it failed", "%s: %s", a.ID, output)
			}
			requireNoBucket(t, address)
		})
	}
}

// The S3 server of this library gives the expected answers to certify's questions about a provider.
func TestQuestionsToOurServer(t *testing.T) {
	server := s3server.ForTest(t, s3server.Config{})
	t.Setenv("AWS_ACCESS_KEY_ID", s3server.DefaultAccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3server.DefaultSecretKey)
	address := "s3://?profile=aws&path_style=true&region=us-east-1&endpoint=" + server.URL

	answers, output := ask(t, address, "-locks", "-kms", "1234abcd-12ab-34cd-56ef-1234567890ab")

	for _, want := range []answer{
		{ID: "s3-part-copy-condition", Answer: "enforced"},
		{ID: "s3-customer-keys", Open: "a customer's key must not be sent without TLS"},
		{
			ID:     "s3-signed-forms",
			Answer: "enforced",
			Detail: "status 204, and 400 for a body that is too long",
		},
		{ID: "s3-versions-at-once", Answer: "all kept", Detail: "15 of 15"},
		{ID: "s3-settings-at-once", Answer: "yes"},
		{ID: "s3-public-bucket", Answer: "yes", Detail: "status 200"},
		{ID: "s3-head-with-kms", Open: "the credentials may decrypt"},
		// The detail has times, which differ from run to run.
		{ID: "s3-removed-block", Answer: "at most 5 seconds", Detail: answers["s3-removed-block"].Detail},
		{ID: "s3-policy-status", Open: "the account has no block: the object can be read"},
		{ID: "s3-form-dollar", Answer: "yes", Detail: "status 204"},
		{ID: "s3-bare-503", Open: "it cannot be provoked for so little"},
		{ID: "gcs-public-cache", Open: "it is about gcs"},
	} {
		require.Equal(t, want, answers[want.ID], "%s", output)
	}
	require.NotEmpty(t, answers["s3-unchecked-parts"].Answer, "%s", output)
	require.Contains(t, output, "answered: Does `UploadPartCopy` enforce")
	require.Contains(t, output, "open: Is `HeadObject` with a checksum refused")
	requireNoBucket(t, address)
}

// With -plan, certify prints what its questions to a provider cost, and does nothing else. It
// leaves out questions that lock objects or are about other providers.
func TestPlanOfQuestions(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")

	output, err := certify(t, "-plan", "-questions", "s3://?region=us-east-1").CombinedOutput()
	require.NoError(t, err, "%s", output)
	plan := string(output)
	require.NotContains(t, plan, "Cases:")
	require.Contains(t, plan, "It takes 5 requests.", "the cost of a question")
	require.NotContains(t, plan, "(s3-unchecked-parts)", "this question locks objects")
	require.NotContains(t, plan, "(azure-")
}

// However a question of certify ends, certify leaves no bucket.
func TestQuestionCleansUp(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		name  string
		probe func(ctx context.Context, p *probe) (string, error)
		want  answer
		// wantErr is a part of the error, or "" if the question ends without an error.
		wantErr string
	}{
		{
			name:  "it has an answer",
			probe: func(context.Context, *probe) (string, error) { return "yes", nil },
			want:  answer{Answer: "yes"},
		},
		{
			name:  "it is not for this account",
			probe: func(context.Context, *probe) (string, error) { return "", notApplicable("no versions") },
			want:  answer{Open: "no versions"},
		},
		{
			name:    "it fails",
			probe:   func(context.Context, *probe) (string, error) { return "", broken },
			want:    answer{Open: "it failed: internal"},
			wantErr: "broken",
		},
		{
			name: "it panics",
			probe: func(context.Context, *probe) (string, error) {
				panic("oops")
			},
			want:    answer{Open: "it failed"},
			wantErr: "oops",
		},
		{
			name: "it is interrupted",
			probe: func(ctx context.Context, p *probe) (string, error) {
				p.c.interrupted.Store(true)
				_, err := p.newBucket(ctx)
				require.Error(t, err, "after an interruption, no bucket is made")
				return "", nil
			},
			want: answer{Open: "it was interrupted"},
		},
		{
			name: "its own cleaning fails",
			probe: func(_ context.Context, p *probe) (string, error) {
				p.cleanups = append(p.cleanups, func(context.Context) error { return broken })
				return "yes", nil
			},
			want:    answer{Answer: "yes"},
			wantErr: "broken",
		},
		{
			name:    "an answer that it may not give",
			probe:   func(context.Context, *probe) (string, error) { return "perhaps", nil },
			want:    answer{},
			wantErr: "no answer",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newMemoryCertification(t, settings{})
			q := question{
				id:      "q",
				answers: []string{"yes"},
				// The question creates a bucket with two versions of an object, and then ends as
				// the case says.
				probe: func(ctx context.Context, p *probe) (string, error) {
					b, err := p.newBucket(ctx, storage.WithVersioning(true))
					require.NoError(t, err)
					require.NoError(t, put(ctx, b, "a"))
					require.NoError(t, put(ctx, b, "a"))
					return tt.probe(ctx, p)
				},
			}

			got, err := c.runQuestion(t.Context(), q)

			tt.want.ID = q.id
			require.Equal(t, tt.want, got)
			if tt.wantErr == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, tt.wantErr)
			}
			require.Empty(t, c.ledger.all(), "no bucket stays")
		})
	}
}

// newMemoryCertification returns a certification of an account in memory.
func newMemoryCertification(t *testing.T, s settings) *certification {
	t.Helper()
	driver := memstore.NewServiceDriver(memstore.ServiceConfig{})
	c := &certification{
		name:     "omnibucket-certify-test",
		driver:   driver,
		settings: s,
	}
	c.service = engine.NewService(&account{
		ServiceDriver: driver,
		ledger:        &c.ledger,
		interrupted:   &c.interrupted,
	})
	t.Cleanup(func() { require.NoError(t, c.service.Close()) })
	return c
}

// With -immutable, certify asks about a container of the user. It leaves this container in place, without new versions.
func TestQuestionAboutRetainedVersions(t *testing.T) {
	const userContainer = "mine"
	index := slices.IndexFunc(questions, func(q question) bool { return q.id == "azure-version-immutability" })
	q := questions[index]
	require.True(t, q.locks)
	tests := []struct {
		name      string
		immutable string // value of -immutable
		settings  []storage.BucketOption
		want      answer
	}{
		{
			name:      "a container with version-level immutability",
			immutable: userContainer,
			settings:  []storage.BucketOption{storage.WithObjectLock()},
			want:      answer{ID: q.id, Answer: "yes"},
		},
		{
			name:      "a container without it",
			immutable: userContainer,
			want:      answer{ID: q.id, Open: "the container has no version-level immutability"},
		},
		{
			name:      "no container",
			immutable: "",
			want:      answer{ID: q.id, Open: "-immutable names no container"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newMemoryCertification(t, settings{immutable: tt.immutable})
			_, err := c.service.CreateBucket(t.Context(), userContainer, tt.settings...)
			require.NoError(t, err)

			got, err := c.runQuestion(t.Context(), q)
			require.NoError(t, err)
			require.Equal(t, tt.want, got)

			// The container still exists, and has no version of an object.
			b, err := c.service.Bucket(userContainer, storage.WithVersioning(true))
			require.NoError(t, err)
			var keys []string
			for version, err := range storage.Versions(t.Context(), b) {
				require.NoError(t, err)
				keys = append(keys, version.Key)
			}
			require.Empty(t, keys)
		})
	}
}
