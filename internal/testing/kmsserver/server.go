// Package kmsserver has test servers with the protocols of key management services (KMS). They were
// written from the documentation of the services, and keep their keys in memory.
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

// A Server imitates one key management service.
type Server struct {
	*httptest.Server

	mu       sync.Mutex
	keys     map[string]*master
	requests map[string]int
	answer   func(w http.ResponseWriter, r *http.Request, operation string) bool
}

// A master is one key of the service. Its newest version is the last one in versions.
type master struct {
	state    string // "" if the key is enabled
	versions []cipher.AEAD
}

func newServer() *Server { return &Server{keys: map[string]*master{}, requests: map[string]int{}} }

// AddKey adds a key, or a version to the key with this name.
func (s *Server) AddKey(name string) {
	const keySize = 32
	secret := make([]byte, keySize)
	_, _ = rand.Read(secret) // never fails
	block, err := aes.NewCipher(secret)
	if err != nil {
		panic(err) // the size is that of a key
	}
	version, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // AES is a valid cipher
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys[name] == nil {
		s.keys[name] = &master{}
	}
	s.keys[name].versions = append(s.keys[name].versions, version)
}

// SetState sets the state of a key: "disabled", "deleted", "denied", or "" for enabled.
func (s *Server) SetState(name, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[name].state = state
}

// Answer sets a function that the server calls first for each operation. If f returns true, f has
// sent the response.
func (s *Server) Answer(f func(w http.ResponseWriter, r *http.Request, operation string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

// Count returns how many requests for an operation the server has received.
func (s *Server) Count(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[operation]
}

// beginRequest counts a request, and returns the state and the versions of its key. The state is "" for an
// enabled key. If isAnswered is true, the function that [Server.Answer] has set sent the response, so the
// caller must send none.
func (s *Server) beginRequest(
	w http.ResponseWriter, r *http.Request, operation, name string,
) (state string, versions []cipher.AEAD, isAnswered bool) {
	s.mu.Lock()
	s.requests[operation]++
	answer := s.answer
	state = "missing"
	if key := s.keys[name]; key != nil {
		state = key.state
		versions = key.versions
	}
	s.mu.Unlock()

	if answer != nil {
		isAnswered = answer(w, r, operation)
	}
	return state, versions, isAnswered
}

// WriteJSON sends a response with a body in JSON.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// Refuse makes every operation fail with this status and body, until the test ends.
func (s *Server) Refuse(t testing.TB, status int, body any) {
	s.Answer(func(w http.ResponseWriter, _ *http.Request, _ string) bool {
		WriteJSON(w, status, body)
		return true
	})
	t.Cleanup(func() { s.Answer(nil) })
}
