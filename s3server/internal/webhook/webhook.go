// Package webhook posts events to a URL. A queue keeps them in order while the receiver is slow or
// down. After some attempts an event is lost, and counted.
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
	webhookQueue    = 1000            // events that wait
	webhookAttempts = 3               // for one event
	webhookTimeout  = 5 * time.Second // of one attempt
	webhookPause    = time.Second     // before the second attempt, and twice that before the third
	webhookFlush    = time.Second     // time for all events that wait at the end
)

// A Webhook posts events to a URL, one after the other.
type Webhook struct {
	url   string
	queue chan []byte
	lost  atomic.Int64
	pause time.Duration
	http  *http.Client
	down  bool // the last event was lost; only run uses it
}

// New returns a webhook for an address. Its Run must be called.
func New(address string) *Webhook {
	return &Webhook{
		url: address, queue: make(chan []byte, webhookQueue), pause: webhookPause,
		http: &http.Client{
			Timeout: webhookTimeout,
			// Without idle connections, nothing is left when run returns.
			Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true},
			// A redirection would lose the body, or post it to another host.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// LostEvents returns how many events the receiver did not get.
func (w *Webhook) LostEvents() int64 { return w.lost.Load() }

// Push adds an event to the queue, or counts it as lost if the queue is full.
func (w *Webhook) Push(body []byte) {
	select {
	case w.queue <- body:
	default:
		w.lost.Add(1)
	}
}

// Run sends events until ctx ends. Then it tries once more to send the waiting events.
func (w *Webhook) Run(ctx context.Context) {
	for {
		select {
		case body := <-w.queue:
			if !w.send(ctx, body) {
				w.flush(context.WithoutCancel(ctx), body)
				return
			}
		case <-ctx.Done():
			w.flush(context.WithoutCancel(ctx), nil)
			return
		}
	}
}

// flush tries once to send an event, which may be nil, and those that wait.
func (w *Webhook) flush(ctx context.Context, body []byte) {
	ctx, cancel := context.WithTimeout(ctx, webhookFlush)
	defer cancel()
	for {
		if body != nil && w.post(ctx, body) != nil {
			w.lost.Add(1)
		}
		select {
		case body = <-w.queue:
		default:
			return
		}
	}
}

// send posts an event. While the webhook is down, each event has one attempt, so that the queue
// moves on. It returns false if ctx ends before the event is sent or lost.
func (w *Webhook) send(ctx context.Context, body []byte) bool {
	attempts := webhookAttempts
	if w.down {
		attempts = 1
	}
	for attempt := range attempts {
		if attempt > 0 {
			select {
			case <-time.After(w.pause * time.Duration(attempt)):
			case <-ctx.Done():
			}
		}
		if w.down = w.post(ctx, body) != nil; !w.down {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
	}
	w.lost.Add(1)
	return true
}

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
	_, _ = io.CopyN(io.Discard, response.Body, 64<<10) // its content does not matter
	if response.StatusCode >= 300 {
		return fmt.Errorf("the webhook answered %s", response.Status)
	}
	return nil
}
