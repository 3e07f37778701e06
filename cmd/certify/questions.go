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
	answers  []string // the possible results of the function ask
	locks    bool     // true if the question locks objects; such a question is asked only with -locks
	ask      func(ctx context.Context, i *inquiry) (answer string, err error)
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

// notHere is the error of a question that this account cannot answer. Its text is the reason.
type notHere string

// Error returns the reason why the account cannot answer the question.
func (n notHere) Error() string { return string(n) }

// An inquiry is the state of one question while the program asks it.
type inquiry struct {
	c      *certification
	made   []string // names of the buckets that the program created for this question
	detail string
	clean  []func(context.Context) error // called before the buckets are deleted
}

// bucket creates a bucket with the given settings. cleanUp deletes the bucket. If the store does
// not support the settings, the error has the type notHere.
func (i *inquiry) bucket(ctx context.Context, settings ...storage.BucketOption) (storage.Bucket, error) {
	name := i.newName()
	_, err := i.c.service.CreateBucket(ctx, name, settings...)
	if storage.CodeOf(err) == storage.Unsupported {
		return nil, notHere("the store has no such bucket: " + err.Error())
	}
	if err != nil {
		return nil, err
	}
	i.made = append(i.made, name)
	return i.open(name)
}

// newName returns the name of the next bucket that the program creates for a question.
func (i *inquiry) newName() string { return fmt.Sprintf("%s-q%d", i.c.name, i.c.buckets.Add(1)) }

// open opens a bucket, whose operations are counted and fail after an interruption. cleanUp closes
// the bucket.
func (i *inquiry) open(name string, opts ...storage.OpenOption) (storage.Bucket, error) {
	b, err := i.c.service.Bucket(name, append(opts, storage.WithHook(i.c.countUntilInterrupted))...)
	if err != nil {
		return nil, err
	}
	i.clean = append(i.clean, func(context.Context) error { return storage.Close(b) })
	return b, nil
}

// clientOf returns the SDK's client of a bucket.
func clientOf[C any](b storage.Bucket) (C, error) {
	client, ok := storage.As[C](b)
	if !ok {
		return client, notHere("the bucket has no client of the SDK")
	}
	return client, nil
}

// bucketWithClient creates a bucket, and also returns the SDK's client of the bucket.
func bucketWithClient[C any](ctx context.Context, i *inquiry) (b storage.Bucket, client C, err error) {
	b, err = i.bucket(ctx)
	if err != nil {
		return nil, client, err
	}
	client, err = clientOf[C](b)
	return b, client, err
}

// name returns the name of the bucket that was created last.
func (i *inquiry) name() string { return i.made[len(i.made)-1] }

// note keeps a detail for the result.
func (i *inquiry) note(format string, args ...any) { i.detail = fmt.Sprintf(format, args...) }

// put stores a short object.
func put(ctx context.Context, b storage.Uploader, key string, opts ...storage.UploadOption) error {
	_, err := b.Upload(ctx, key, strings.NewReader("text"), opts...)
	return err
}

// get makes a request without a signature, and returns the status and body of the response.
func (i *inquiry) get(
	ctx context.Context, method, address string, header http.Header, body string,
) (int, string, error) {
	ctx, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	maps.Copy(req.Header, header)

	i.c.requests.Add(1)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	const maxText = 1 << 10 // more than the bodies of interest have
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxText))
	return resp.StatusCode, string(text), err
}

// questionsToAsk returns the questions that apply to this provider. Questions that lock objects need
// -locks.
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

// askAll asks the questions, one after the other, and keeps all answers.
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

	a := answer{ID: q.id}
	t.Run(q.id, func(t *testing.T) {
		var err error
		a, err = c.inquire(t.Context(), q)
		if err != nil {
			fmt.Println("certify:", q.id+":", err)
		}
	})
	return a
}

// inquire asks one question. It then deletes everything that the question made, even if the
// question failed. The error comes from the question or from the deletion.
func (c *certification) inquire(ctx context.Context, q question) (a answer, err error) {
	i := &inquiry{c: c}
	a = answer{ID: q.id}
	defer func() {
		if p := recover(); p != nil {
			a.Open = "it failed"
			err = fmt.Errorf("panic: %v", p)
		}
		err = errors.Join(err, i.cleanUp(context.WithoutCancel(ctx)))
	}()

	text, err := q.ask(ctx, i)
	var reason notHere
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

	if !slices.Contains(q.answers, text) {
		return a, fmt.Errorf("%q is no answer to it", text)
	}
	a.Answer = text
	a.Detail = i.detail
	return a, nil
}

// cleanUp undoes the changes that were made to answer a question. If a bucket cannot be deleted, it
// stays in the ledger. Before the program ends, it tries to delete that bucket again. If that
// fails, too, the program prints the bucket's name.
func (i *inquiry) cleanUp(ctx context.Context) error {
	var failures []error
	for _, undo := range slices.Backward(i.clean) {
		failures = append(failures, undo(ctx))
	}
	for _, name := range i.made {
		failures = append(failures, i.c.erase(ctx, name))
	}
	return errors.Join(failures...)
}

// printAnswers prints each question for this provider with its answer, or with the reason why it is open.
func (c *certification) printAnswers() {
	for _, q := range c.all {
		isAnswerToQ := func(a answer) bool { return a.ID == q.id }
		index := slices.IndexFunc(c.answers, isAnswerToQ)
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
