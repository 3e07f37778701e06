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

// flush makes one last attempt to send each event: first unsent, unless it is nil, and then those in the queue.
func (w *Webhook) flush(ctx context.Context, unsent []byte) {
	ctx, cancel := context.WithTimeout(ctx, webhookFlush)
	defer cancel()

	if unsent != nil {
		w.sendOnce(ctx, unsent)
	}
	for {
		select {
		case body := <-w.queue:
			w.sendOnce(ctx, body)
		default:
			// The queue is empty.
			return
		}
	}
}

// sendOnce makes one attempt to send an event, and counts the event as lost if the attempt fails.
func (w *Webhook) sendOnce(ctx context.Context, body []byte) {
	if err := w.post(ctx, body); err != nil {
		w.lostCount.Add(1)
	}
}

// send sends an event, and counts it as lost if all attempts fail. There is only one attempt if the event before was
// lost. send returns false if ctx is done first, so that the event is neither sent nor lost.
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
				return false
			}
		}

		err := w.post(ctx, body)
		w.isDown = err != nil
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
	}

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
