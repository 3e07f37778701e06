// Package kmsserver has servers with the wire protocols of key management services, written from their
// documentation. Keys are in memory.
package kmsserver

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// A Server has the keys of one service.
type Server struct {
	*httptest.Server

	mu       sync.Mutex
	keys     map[string]*master
	requests map[string]int
	answer   func(w http.ResponseWriter, r *http.Request, operation string) bool
}

// A master is one key with its versions; the last is the newest.
type master struct {
	state    string // "" is enabled
	versions []cipher.AEAD
}

func newServer() *Server { return &Server{keys: map[string]*master{}, requests: map[string]int{}} }

// AddKey adds a key, or a version of it.
func (s *Server) AddKey(name string) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	block, _ := aes.NewCipher(secret)
	gcm, _ := cipher.NewGCMWithRandomNonce(block)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys[name] == nil {
		s.keys[name] = &master{}
	}
	s.keys[name].versions = append(s.keys[name].versions, gcm)
}

// SetState sets the state of a key: "", "disabled", "deleted" or "denied".
func (s *Server) SetState(name, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[name].state = state
}

// Answer makes f see each operation first. If it returns true, it has responded.
func (s *Server) Answer(f func(w http.ResponseWriter, r *http.Request, operation string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

// Count returns the requests for an operation.
func (s *Server) Count(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[operation]
}

// begin counts a request. It returns the state of the key and its versions, or answered.
func (s *Server) begin(
	w http.ResponseWriter, r *http.Request, operation, name string,
) (state string, versions []cipher.AEAD, answered bool) {
	s.mu.Lock()
	s.requests[operation]++
	answer, key := s.answer, s.keys[name]
	if key != nil {
		state, versions = key.state, key.versions
	}
	s.mu.Unlock()
	if key == nil {
		state = "missing"
	}
	return state, versions, answer != nil && answer(w, r, operation)
}

// WriteJSON writes a response.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// Refuse answers an operation until the end of the test.
func (s *Server) Refuse(t testing.TB, status int, body any) {
	s.Answer(func(w http.ResponseWriter, _ *http.Request, _ string) bool {
		WriteJSON(w, status, body)
		return true
	})
	t.Cleanup(func() { s.Answer(nil) })
}
