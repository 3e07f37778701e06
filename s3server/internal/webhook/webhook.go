// Package webhook posts events to a URL in their order. Events wait in a queue while the receiver
// is slow or down. After some attempts, an event is counted as lost.
package webhook

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	webhookQueue    = 1000            // maximum number of waiting events
	webhookAttempts = 3               // attempts to send one event
	webhookTimeout  = 5 * time.Second // timeout of one attempt
	webhookPause    = time.Second     // pause before the second attempt; twice as long before the third
	webhookFlush    = time.Second     // time for sending the waiting events when Run ends
)

// A Webhook posts events to a URL, one after the other.
type Webhook struct {
	url       string
	queue     chan []byte
	lostCount atomic.Int64
	pause     time.Duration
	http      *http.Client
	isDown    bool // true if the last event was lost; used only by Run
}

// New returns a webhook that posts events to this address while [Webhook.Run] runs.
func New(address string) *Webhook {
	return &Webhook{
		url:   address,
		queue: make(chan []byte, webhookQueue),
		pause: webhookPause,
		http: &http.Client{
			Timeout: webhookTimeout,
			// Without keep-alives, no connection is left open when Run returns.
			Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true},
			// Following a redirect would drop the body, or send it to another host.
			CheckRedirect: func(*http.Request, []*http.Request) error {
				return http.ErrUseLastResponse
			},
		},
	}
}

// LostEvents returns the number of events that the receiver did not accept or that found the queue
// full.
func (w *Webhook) LostEvents() int64 { return w.lostCount.Load() }

// Push adds an event to the queue, or counts it as lost if the queue is full.
func (w *Webhook) Push(body []byte) {
	select {
	case w.queue <- body:
	default:
		w.lostCount.Add(1)
	}
}

// Run sends events until ctx is done, and then makes one attempt for each waiting event.
func (w *Webhook) Run(ctx context.Context) {
	for {
		select {
		case body := <-w.queue:
			if !w.send(ctx, body) {
				// ctx is done, and body is not sent yet.
				w.flush(context.WithoutCancel(ctx), body)
				return
			}
		case <-ctx.Done():
			w.flush(context.WithoutCancel(ctx), nil)
			return
		}
	}
}

// flush makes one attempt to send each waiting event, and before them body, unless it is nil.
func (w *Webhook) flush(ctx context.Context, body []byte) {
	ctx, cancel := context.WithTimeout(ctx, webhookFlush)
	defer cancel()

	for {
		if body != nil {
			err := w.post(ctx, body)
			if err != nil {
				w.lostCount.Add(1)
			}
		}

		// Take the next event, until the queue is empty.
		select {
		case body = <-w.queue:
		default:
			return
		}
	}
}

// send sends an event, with several attempts unless the last event was lost. It returns false if ctx is
// done before the event is sent or lost.
func (w *Webhook) send(ctx context.Context, body []byte) bool {
	attempts := webhookAttempts
	if w.isDown {
		// More attempts for each event would fill the queue.
		attempts = 1
	}

	for attempt := range attempts {
		if attempt > 0 {
			select {
			case <-time.After(w.pause * time.Duration(attempt)):
			case <-ctx.Done():
				// The attempt then fails at once.
			}
		}

		// The next event needs to know whether this attempt failed.
		w.isDown = w.post(ctx, body) != nil
		if !w.isDown {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
	}

	// All attempts have failed.
	w.lostCount.Add(1)
	return true
}

// post makes one attempt to send an event, and fails if the receiver does not accept it.
func (w *Webhook) post(ctx context.Context, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")

	response, err := w.http.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()

	// Read the response, although its content does not matter.
	const maxResponse = 64 << 10
	_, _ = io.CopyN(io.Discard, response.Body, maxResponse)
	if response.StatusCode >= 300 {
		return fmt.Errorf("the webhook answered %s", response.Status)
	}
	return nil
}
