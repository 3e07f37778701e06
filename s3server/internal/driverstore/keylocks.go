package driverstore

import "sync"

// keyLocks serializes changes of one key in this process. A change may take as long as its client
// likes, and changes of other keys do not wait for it.
type keyLocks struct {
	mu  sync.Mutex
	all map[string]*keyLock
}

type keyLock struct {
	held  sync.Mutex
	users int // that hold it or wait for it
}

func (l *keyLocks) lock(key string) (unlock func()) {
	l.mu.Lock()
	k := l.all[key]
	if k == nil {
		k = &keyLock{}
		l.all[key] = k
	}
	k.users++
	l.mu.Unlock()
	k.held.Lock()
	return func() {
		k.held.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if k.users--; k.users == 0 {
			delete(l.all, key)
		}
	}
}
