package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omnibucket/storage"
)

// A question asks about a cloud's behavior that only a real account can show.
// docs/maintainers/questions.md lists all questions.
type question struct {
	id       string
	provider string // name of the provider, as in Attrs.Provider
	account  string // kind of account that the question is for
	text     string
	does     string   // what the library does as long as the answer is unknown
	cost     string   // what the question needs besides a bucket
	answers  []string // the possible results of the function probe
	locks    bool     // true if the question locks objects; such a question is asked only with -locks
	probe    func(ctx context.Context, p *probe) (answer string, err error)
}

// questions are all questions, in the order of docs/maintainers/questions.md.
var questions = slices.Concat(s3Questions, gcsQuestions, azureQuestions)

// An answer is the result of a question. If the account answered the question, Answer is set.
// Otherwise Open is set.
type answer struct {
	ID     string `json:"id"`
	Answer string `json:"answer,omitempty"`
	Open   string `json:"open,omitempty"` // reason why there is no answer
	Detail string `json:"detail,omitempty"`
}

// notApplicable is the error of a question that this account cannot answer. Its text is the reason.
type notApplicable string

// Error returns the reason why the account cannot answer the question.
func (n notApplicable) Error() string { return string(n) }

// A probe creates what one question needs in the account, such as buckets, and keeps the detail of its answer.
type probe struct {
	c        *certification
	buckets  []string // names of the buckets that were created for this question
	detail   string
	cleanups []func(context.Context) error // called before the buckets are deleted
}

// newBucket creates a bucket with the given settings, which cleanUp deletes. If the store does not
// support the settings, the error has the type notApplicable.
func (p *probe) newBucket(ctx context.Context, settings ...storage.BucketOption) (storage.Bucket, error) {
	name := p.newName()
	_, err := p.c.service.CreateBucket(ctx, name, settings...)
	if storage.CodeOf(err) == storage.Unsupported {
		return nil, notApplicable("the store has no such bucket: " + err.Error())
	}
	if err != nil {
		return nil, err
	}

	p.buckets = append(p.buckets, name)
	return p.open(name)
}

// newName returns the name of the next bucket that the program creates for a question.
func (p *probe) newName() string { return fmt.Sprintf("%s-q%d", p.c.name, p.c.buckets.Add(1)) }

// open opens a bucket until cleanUp. Its operations are counted, and fail after an interruption.
func (p *probe) open(name string, opts ...storage.OpenOption) (storage.Bucket, error) {
	b, err := p.c.service.Bucket(name, append(opts, storage.WithHook(p.c.countUntilInterrupted))...)
	if err != nil {
		return nil, err
	}
	p.cleanups = append(p.cleanups, func(context.Context) error { return storage.Close(b) })
	return b, nil
}

// clientOf returns the SDK's client of a bucket.
func clientOf[C any](b storage.Bucket) (C, error) {
	client, ok := storage.As[C](b)
	if !ok {
		return client, notApplicable("the bucket has no client of the SDK")
	}
	return client, nil
}

// bucketWithClient creates a bucket, and returns it with the SDK's client of the bucket.
func bucketWithClient[C any](ctx context.Context, p *probe) (b storage.Bucket, client C, err error) {
	b, err = p.newBucket(ctx)
	if err != nil {
		return nil, client, err
	}
	client, err = clientOf[C](b)
	return b, client, err
}

// name returns the name of the bucket that was created last.
func (p *probe) name() string { return p.buckets[len(p.buckets)-1] }

// setDetail sets the detail of the answer.
func (p *probe) setDetail(format string, args ...any) { p.detail = fmt.Sprintf(format, args...) }

// put stores a short object.
func put(ctx context.Context, b storage.Uploader, key string, opts ...storage.UploadOption) error {
	_, err := b.Upload(ctx, key, strings.NewReader("text"), opts...)
	return err
}

// get makes a request without credentials, and returns the status and the body of the response.
func (p *probe) get(
	ctx context.Context, method, address string, header http.Header, body string,
) (int, string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	maps.Copy(req.Header, header)

	// A transport of its own leaves no connection open after the request.
	p.c.requests.Add(1)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()

	// The questions compare only short bodies.
	const maxText = 1 << 10
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxText))
	return resp.StatusCode, string(text), err
}

// questionsToAsk returns the questions that apply to this provider, without those that lock objects
// unless -locks is set.
func (c *certification) questionsToAsk() []question {
	var asked []question
	for _, q := range c.all {
		if q.provider != c.driver.Provider() {
			continue
		}
		if q.locks && !c.locks {
			continue
		}
		asked = append(asked, q)
	}
	return asked
}

// askAll asks all questions, one after another, until an interruption.
func (c *certification) askAll(t *testing.T) {
	for _, q := range c.all {
		if c.interrupted.Load() {
			return
		}
		c.answers = append(c.answers, c.ask(t, q))
	}
}

// ask asks one question, if it is for this provider and the flags permit it.
func (c *certification) ask(t *testing.T, q question) answer {
	if q.provider != c.driver.Provider() {
		return answer{ID: q.id, Open: "it is about " + q.provider}
	}
	if q.locks && !c.locks {
		return answer{ID: q.id, Open: "it was not asked for: it locks objects, and needs -locks"}
	}

	// Each question is a subtest. Its error is only printed, because an open question is no failure.
	a := answer{ID: q.id}
	t.Run(q.id, func(t *testing.T) {
		var err error
		a, err = c.runQuestion(t.Context(), q)
		if err != nil {
			fmt.Println("certify:", q.id+":", err)
		}
	})
	return a
}

// runQuestion asks one question, and then deletes what was created for it, even if the question panics. Its
// error is that of the question or of the deletion.
func (c *certification) runQuestion(ctx context.Context, q question) (a answer, err error) {
	p := &probe{c: c}
	a = answer{ID: q.id}
	defer func() {
		if panicked := recover(); panicked != nil {
			a.Open = "it failed"
			err = fmt.Errorf("panic: %v", panicked)
		}
		err = errors.Join(err, p.cleanUp(context.WithoutCancel(ctx)))
	}()

	// A question that cannot be asked here stays open, with the reason.
	text, err := q.probe(ctx, p)
	var reason notApplicable
	if errors.As(err, &reason) {
		a.Open = string(reason)
		return a, nil
	}
	if c.interrupted.Load() {
		a.Open = "it was interrupted"
		return a, err
	}
	if err != nil {
		a.Open = "it failed: " + string(storage.CodeOf(err))
		return a, err
	}

	// A question may give only the answers that it declares.
	if !slices.Contains(q.answers, text) {
		return a, fmt.Errorf("%q is no answer to it", text)
	}
	a.Answer = text
	a.Detail = p.detail
	return a, nil
}

// cleanUp undoes what was done for a question, and deletes its buckets. A bucket that cannot be deleted
// stays in the ledger, so that the program tries again at its end.
func (p *probe) cleanUp(ctx context.Context) error {
	var failures []error
	for _, undo := range slices.Backward(p.cleanups) {
		failures = append(failures, undo(ctx))
	}
	for _, name := range p.buckets {
		failures = append(failures, p.c.deleteBucket(ctx, name))
	}
	return errors.Join(failures...)
}

// printAnswers prints each question for this provider with its answer, or with the reason why it is open.
func (c *certification) printAnswers() {
	for _, q := range c.all {
		index := slices.IndexFunc(c.answers, func(a answer) bool { return a.ID == q.id })
		// Questions of other providers, and those that were not asked, have no answer.
		if index < 0 || q.provider != c.driver.Provider() {
			continue
		}

		a := c.answers[index]
		switch {
		case a.Answer != "" && a.Detail != "":
			fmt.Printf("answered: %s\n  %s (%s)\n", q.text, a.Answer, a.Detail)
		case a.Answer != "":
			fmt.Printf("answered: %s\n  %s\n", q.text, a.Answer)
		default:
			fmt.Printf("open: %s\n  %s\n", q.text, a.Open)
		}
	}
}
