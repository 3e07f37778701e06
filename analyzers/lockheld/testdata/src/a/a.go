package a

import (
	"context"
	"sync"
)

type store struct {
	mu   sync.Mutex
	rw   sync.RWMutex
	text string
}

func request(ctx context.Context, key string) error { return ctx.Err() }

func (s *store) deferred(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return request(ctx, s.text) // want `s\.mu is held during a call that takes a context`
}

func (s *store) between(ctx context.Context) error {
	s.rw.RLock()
	text := s.text
	err := request(ctx, text) // want `s\.rw is held during a call that takes a context`
	s.rw.RUnlock()
	return err
}

func (s *store) before(ctx context.Context) error {
	s.mu.Lock()
	text := s.text
	s.mu.Unlock()
	return request(ctx, text)
}

func (s *store) inABranch(ctx context.Context) error {
	s.mu.Lock()
	if s.text == "" {
		s.mu.Unlock()
		return request(ctx, "")
	}
	for range 3 {
		_ = request(ctx, s.text) // want `s\.mu is held during a call that takes a context`
	}
	s.mu.Unlock()
	return request(ctx, "")
}

func (s *store) inAnother(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	go func() { _ = request(ctx, "") }()
}

func (s *store) once(ctx context.Context) {
	var once sync.Once
	once.Do(func() {
		_ = request(ctx, "") // want `once\.Do is held during a call that takes a context`
	})
}

func (s *store) values(ctx context.Context) func() error {
	return sync.OnceValue(func() error {
		return request(ctx, "") // want `sync\.OnceValue is held during a call that takes a context`
	})
}
