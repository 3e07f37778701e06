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

// The page lists the questions. A question that nobody can find is never asked.
func TestQuestionsOfThePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/maintainers/questions.md")
	require.NoError(t, err)
	_, section, _ := strings.Cut(string(page), "## Open questions\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var listed, want []string
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "| `") {
			listed = append(listed, strings.TrimSpace(line))
		}
	}

	ids := map[string]bool{}
	for _, q := range questions {
		want = append(want, fmt.Sprintf("| `%s` | %s | %s | %s |", q.id, q.account, q.text, q.does))
		require.False(t, ids[q.id], q.id)
		ids[q.id] = true
		require.NotEmpty(t, q.cost, q.id)
		require.NotEmpty(t, q.answers, q.id)
	}
	require.Equal(t, want, listed, "write these lines into docs/maintainers/questions.md:\n%s",
		strings.Join(want, "\n"))
}

// ask runs the program for the questions, and returns the answers by id.
func ask(t *testing.T, address string, flags ...string) (answers map[string]answer, said string) {
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
		require.True(t, (a.Answer == "") != (a.Open == ""), "%v", a)
		answers[a.ID] = a
	}
	require.Len(t, answers, len(questions), "each question has an answer, or says why not")
	return answers, string(text)
}

// requireNoBucket requires that the account has no bucket of the program's.
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

// The answers of servers that are no clouds. Others are left open there.
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

// Servers answer.
func TestQuestionsToServers(t *testing.T) {
	for name, open := range accounts {
		t.Run(name, func(t *testing.T) {
			address := open(t)
			answers, said := ask(t, address)
			for id, want := range serverAnswers[name] {
				require.Equal(t, want, answers[id].Answer, "%s: %s", id, said)
			}
			for _, a := range answers {
				require.NotContains(t, a.Open, "it failed", "%s: %s", a.ID, said)
			}
			requireNoBucket(t, address)
		})
	}
}

// Our own server follows Amazon.
func TestQuestionsToOurServer(t *testing.T) {
	server := s3server.ForTest(t, s3server.Config{})
	t.Setenv("AWS_ACCESS_KEY_ID", s3server.DefaultAccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3server.DefaultSecretKey)
	address := "s3://?profile=aws&path_style=true&region=us-east-1&endpoint=" + server.URL
	answers, said := ask(t, address, "-locks", "-kms", "1234abcd-12ab-34cd-56ef-1234567890ab")

	for id, want := range map[string]answer{
		"s3-part-copy-condition": {Answer: "enforced"},
		"s3-customer-keys":       {Open: "a customer's key must not be sent without TLS"},
		"s3-signed-forms": {
			Answer: "enforced",
			Detail: "status 204, and 400 for a body that is too long",
		},
		"s3-versions-at-once": {Answer: "all kept", Detail: "15 of 15"},
		"s3-settings-at-once": {Answer: "yes"},
		"s3-public-bucket":    {Answer: "yes", Detail: "status 200"},
		"s3-head-with-kms":    {Open: "the credentials may decrypt"},
		"s3-removed-block":    {Answer: "at most 5 seconds", Detail: answers["s3-removed-block"].Detail},
		"s3-policy-status":    {Open: "the account has no block: the object can be read"},
		"s3-form-dollar":      {Answer: "yes", Detail: "status 204"},
		"s3-bare-503":         {Open: "it cannot be provoked for so little"},
		"gcs-public-cache":    {Open: "it is about gcs"},
	} {
		want.ID = id
		require.Equal(t, want, answers[id], "%s", said)
	}
	require.NotEmpty(t, answers["s3-unchecked-parts"].Answer, "%s", said)
	require.Contains(t, said, "answered: Does `UploadPartCopy` enforce")
	require.Contains(t, said, "open: Is `HeadObject` with a checksum refused")
	requireNoBucket(t, address)
}

// A plan says what questions take.
func TestPlanOfQuestions(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")

	said, err := certify(t, "-plan", "-questions", "s3://?region=us-east-1").CombinedOutput()
	require.NoError(t, err, "%s", said)
	require.NotContains(t, string(said), "Cases:")
	require.Contains(t, string(said), "It takes 5 requests.")
	require.NotContains(t, string(said), "(s3-unchecked-parts)", "it locks objects")
	require.NotContains(t, string(said), "(azure-")
}

// However a question of certify ends, certify leaves no bucket behind.
func TestQuestionCleansUp(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		name string
		ask  func(ctx context.Context, i *inquiry) (string, error)
		want answer
		err  string
	}{
		{
			name: "it has an answer",
			ask:  func(context.Context, *inquiry) (string, error) { return "yes", nil },
			want: answer{Answer: "yes"},
		},
		{
			name: "it is not for this account",
			ask:  func(context.Context, *inquiry) (string, error) { return "", notHere("why") },
			want: answer{Open: "why"},
		},
		{
			name: "it fails",
			ask:  func(context.Context, *inquiry) (string, error) { return "", broken },
			want: answer{Open: "it failed: internal"},
			err:  "broken",
		},
		{
			name: "it panics",
			ask: func(context.Context, *inquiry) (string, error) {
				panic("oops")
			},
			want: answer{Open: "it failed"},
			err:  "oops",
		},
		{
			name: "it is interrupted",
			ask: func(ctx context.Context, i *inquiry) (string, error) {
				i.c.interrupted.Store(true)
				_, err := i.bucket(ctx)
				require.Error(t, err)
				return "", nil
			},
			want: answer{Open: "it was interrupted"},
		},
		{
			name: "its own cleaning fails",
			ask: func(_ context.Context, i *inquiry) (string, error) {
				i.clean = append(i.clean, func(context.Context) error { return broken })
				return "yes", nil
			},
			want: answer{Answer: "yes"},
			err:  "broken",
		},
		{
			name: "an answer that it may not give",
			ask:  func(context.Context, *inquiry) (string, error) { return "perhaps", nil },
			want: answer{},
			err:  "no answer",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &certification{name: "omnibucket-certify-test"}
			driver := memstore.NewServiceDriver(memstore.ServiceConfig{})
			c.driver = driver
			c.service = engine.NewService(&account{
				ServiceDriver: driver,
				made:          &c.made,
				interrupted:   &c.interrupted,
			})
			t.Cleanup(func() { require.NoError(t, c.service.Close()) })
			got, err := c.inquire(t.Context(), question{
				id:      "q",
				answers: []string{"yes"},
				ask: func(ctx context.Context, i *inquiry) (string, error) {
					b, err := i.bucket(ctx, storage.WithVersioning(true))
					require.NoError(t, err)
					require.NoError(t, put(ctx, b, "a"))
					require.NoError(t, put(ctx, b, "a"))
					return tt.ask(ctx, i)
				},
			})

			tt.want.ID = "q"
			require.Equal(t, tt.want, got)
			if tt.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, tt.err)
			}
			require.Empty(t, c.made.all(), "no bucket stays")
		})
	}
}

// The container of -immutable belongs to the user: after the question, it still exists and has no versions.
func TestQuestionAboutRetainedVersions(t *testing.T) {
	tests := map[string]struct {
		container string
		settings  []storage.BucketOption
		want      answer
	}{
		"a container with it": {
			container: "mine",
			settings:  []storage.BucketOption{storage.WithObjectLock()},
			want:      answer{Answer: "yes"},
		},
		"a container without it": {
			container: "mine",
			settings:  nil,
			want:      answer{Open: "the container has no version-level immutability"},
		},
		"no container": {
			container: "",
			settings:  nil,
			want:      answer{Open: "-immutable names no container"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			driver := memstore.NewServiceDriver(memstore.ServiceConfig{})
			c := &certification{
				name:     "omnibucket-certify-test",
				driver:   driver,
				settings: settings{immutable: tt.container},
			}
			c.service = engine.NewService(&account{
				ServiceDriver: driver,
				made:          &c.made,
				interrupted:   &c.interrupted,
			})
			t.Cleanup(func() { require.NoError(t, c.service.Close()) })
			_, err := c.service.CreateBucket(t.Context(), "mine", tt.settings...)
			require.NoError(t, err)

			index := slices.IndexFunc(questions,
				func(q question) bool { return q.id == "azure-version-immutability" })
			require.True(t, questions[index].locks)
			tt.want.ID = questions[index].id
			got, err := c.inquire(t.Context(), questions[index])
			require.NoError(t, err)
			require.Equal(t, tt.want, got)

			b, err := c.service.Bucket("mine", storage.WithVersioning(true))
			require.NoError(t, err)
			for v, err := range storage.Versions(t.Context(), b) {
				require.NoError(t, err)
				require.Fail(t, "a version stays", v.Key)
			}
		})
	}
}
