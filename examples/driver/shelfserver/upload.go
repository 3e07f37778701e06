package shelfserver

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
)

// An upload is an object that arrives in parts. Clients cannot read it until its parts are joined.
type upload struct {
	key   string
	parts map[int]part // maps part numbers to parts
}

type part struct {
	etag    string
	content []byte
}

// A partName identifies a part in the body of the request that joins parts.
type partName struct {
	Number int    `json:"number"`
	ETag   string `json:"etag"`
}

func (s *Server) serveUpload(w http.ResponseWriter, r *http.Request, key string, query url.Values) {
	name := query.Get("upload")
	switch {
	case r.Method == http.MethodPost && query.Has("parts"):
		s.begin(w, key)
	case r.Method == http.MethodPut:
		s.putPart(w, r, key, name, query.Get("part"))
	case r.Method == http.MethodPost:
		s.join(w, r, key, name)
	case r.Method == http.MethodDelete:
		s.drop(w, key, name)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func (s *Server) begin(w http.ResponseWriter, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	name := strconv.Itoa(s.writes)
	s.uploads[name] = &upload{key, map[int]part{}}
	w.Header().Set("Upload", name)
	w.WriteHeader(http.StatusCreated)
}

// find returns the upload of a key by its name. If the upload does not exist, or was joined or
// dropped, it returns nil. The caller must hold the lock.
func (s *Server) find(key, name string) *upload {
	if u := s.uploads[name]; u != nil && u.key == key {
		return u
	}
	return nil
}

// putPart stores a part. It replaces an earlier part with the same number.
func (s *Server) putPart(w http.ResponseWriter, r *http.Request, key, name, number string) {
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	content, ok := readBody(w, r)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.find(key, name)
	if u == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	u.parts[n] = part{s.newTag(), content}
	w.Header().Set("ETag", u.parts[n].etag)
	w.WriteHeader(http.StatusCreated)
}

// join makes an object from the parts, with the headers and conditions of the request.
func (s *Server) join(w http.ResponseWriter, r *http.Request, key, name string) {
	var names []partName
	if err := json.NewDecoder(r.Body).Decode(&names); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	content, status := s.joined(key, name, names)
	if status != http.StatusOK {
		w.WriteHeader(status)
		return
	}
	isValid := checkSum(w, r, content)
	if !isValid {
		return
	}
	isStored := s.put(w, r, key, content)
	if !isStored {
		return
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.uploads, name)
}

// joined returns the content of the named parts, one after the other. If a part is missing or has
// changed, the status says so.
func (s *Server) joined(key, name string, names []partName) ([]byte, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.find(key, name)
	if u == nil {
		return nil, http.StatusNotFound
	}
	content := []byte{}
	for _, n := range names {
		p, ok := u.parts[n.Number]
		if !ok || p.etag != n.ETag {
			return nil, http.StatusBadRequest
		}
		content = append(content, p.content...)
	}
	return content, http.StatusOK
}

func (s *Server) drop(w http.ResponseWriter, key, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.find(key, name) == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	delete(s.uploads, name)
	w.WriteHeader(http.StatusNoContent)
}
