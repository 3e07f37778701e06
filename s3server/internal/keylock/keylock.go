// Package keylock has locks with names, which take memory only while they are held.
package keylock

import "sync"

// Locks serialize what is done under one name in this process. That may take as long as its client likes,
// and other names do not wait for it. The zero value has no lock that is held.
type Locks struct {
	mu  sync.Mutex
	all map[string]*lock
}

type lock struct {
	held  sync.Mutex
	users int // number of calls that hold it or wait for it
}

// Lock waits for the lock with a name. The caller must call unlock.
func (l *Locks) Lock(name string) (unlock func()) {
	l.mu.Lock()
	k := l.all[name]
	if k == nil {
		if l.all == nil {
			l.all = map[string]*lock{}
		}
		k = &lock{}
		l.all[name] = k
	}
	k.users++
	l.mu.Unlock()
	k.held.Lock()
	return func() {
		k.held.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if k.users--; k.users == 0 {
			delete(l.all, name)
		}
	}
}
