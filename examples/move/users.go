package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/omnibucket/storage"
)

const (
	prefix  = "move/"
	welcome = prefix + "welcome.txt" // no user removes this object
	writers = 4
)

// users simulates the users of a site. Its goroutines read and write objects until the method end
// is called. Each writing goroutine has its own objects, and remembers their content.
type users struct {
	writes, visits atomic.Int64

	written [writers]map[string]string // for each writer, maps keys to content
	stop    chan struct{}
	all     sync.WaitGroup
	mu      sync.Mutex
	err     error // errors of all users, joined
}

// startUsers puts objects into the bucket of a site, and starts goroutines that read and write them.
func startUsers(ctx context.Context, s *site, address string, objects int) (*users, error) {
	u := &users{stop: make(chan struct{})}
	if err := s.put(ctx, welcome, "welcome"); err != nil {
		return nil, err
	}

	// Each object belongs to one of the writers.
	for n := range objects {
		w := n % writers
		if u.written[w] == nil {
			u.written[w] = map[string]string{}
		}
		key := fmt.Sprintf("%s%06d.txt", prefix, n)
		u.written[w][key] = "0"
		if err := s.put(ctx, key, "0"); err != nil {
			return nil, err
		}
	}

	for _, numbers := range u.written {
		if len(numbers) > 0 {
			u.repeat(func() error { return u.write(ctx, s, numbers) })
		}
	}
	u.repeat(func() error { return u.visit(ctx, address) })
	return u, nil
}

// put stores an object in the bucket of the site.
func (s *site) put(ctx context.Context, key, text string) error {
	b, release := s.acquire()
	defer release()
	_, err := b.Upload(ctx, key, strings.NewReader(text))
	return err
}

// repeat calls the given function again and again in a new goroutine. The goroutine stops if the
// function fails, or after a call of the method end.
func (u *users) repeat(do func() error) {
	u.all.Go(func() {
		for {
			select {
			case <-u.stop:
				return
			default:
			}
			if err := do(); err != nil {
				u.mu.Lock()
				u.err = errors.Join(u.err, err)
				u.mu.Unlock()
				return
			}
		}
	})
}

// end stops all goroutines, waits for them, and returns their errors.
func (u *users) end() error {
	close(u.stop)
	u.all.Wait()
	return u.err
}

// write makes a random change: it increments the number in an object, removes an object or creates
// one. If the store returns something unexpected, write fails.
//
// numbers has the number in each object of this writer, by the key of the object, or "" if the writer
// has removed the object. write updates it.
func (u *users) write(ctx context.Context, s *site, numbers map[string]string) error {
	keys := slices.Collect(maps.Keys(numbers))
	key := keys[rand.IntN(len(keys))]
	old := numbers[key]
	u.writes.Add(1)
	b, release := s.acquire()
	defer release()

	// Create the object if it was removed.
	if old == "" {
		numbers[key] = "0"
		_, err := b.Upload(ctx, key, strings.NewReader("0"), storage.IfAbsent())
		return err
	}

	// One of four changes removes the object.
	if rand.IntN(4) == 0 {
		numbers[key] = ""
		return b.Remove(ctx, key)
	}

	// The others increment its number.
	n, err := strconv.Atoi(old)
	if err != nil {
		return err
	}
	next := strconv.Itoa(n + 1)
	numbers[key] = next
	_, err = storage.Update(ctx, b, key, func(content []byte, _ *storage.Attrs) ([]byte, error) {
		if string(content) != old {
			return nil, fmt.Errorf("%s is %q, and must be %q", key, content, old)
		}
		return []byte(next), nil
	})
	return err
}

// visit requests the page, and an object that always exists.
func (u *users) visit(ctx context.Context, address string) error {
	for _, path := range []string{"", welcome} {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+path, nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK || !strings.Contains(string(body), "welcome") {
			return fmt.Errorf("a visit of /%s: %s", path, response.Status)
		}
	}
	u.visits.Add(1)
	return nil
}

// check compares a bucket with what the writers have written. It returns the number of objects.
func (u *users) check(ctx context.Context, b storage.Bucket) (objects int, err error) {
	want := map[string]string{welcome: "welcome"}
	for _, numbers := range u.written {
		maps.Copy(want, numbers)
	}
	isRemoved := func(_, text string) bool { return text == "" }
	maps.DeleteFunc(want, isRemoved)

	for object, err := range b.List(ctx, storage.WithPrefix(prefix)) {
		if err != nil {
			return objects, err
		}
		text, ok := want[object.Key]
		if !ok {
			return objects, fmt.Errorf("%s was removed, and is there", object.Key)
		}
		content, _, err := storage.ReadAll(ctx, b, object.Key)
		if err != nil {
			return objects, err
		}
		if string(content) != text {
			return objects, fmt.Errorf("%s is %q, and must be %q", object.Key, content, text)
		}
		objects++
	}

	if objects != len(want) {
		return objects, fmt.Errorf("%d of %d objects are lost", len(want)-objects, len(want))
	}
	return objects, nil
}
