package kaizen

import (
	"crypto/tls"
	"sync"
)

// sessions are the TLS sessions of one account, apart by connection key: what was
// agreed under other roots, pins or client certificates must not be resumed.
type sessions struct {
	mu     sync.Mutex // guards what follows
	caches map[string]tls.ClientSessionCache
	order  []string // keys, oldest first
}

const (
	// keptSessions is how many servers an account may have whose sessions are kept.
	keptSessions = 8
	// keptKeys is how many sets of settings an account goes back and forth between.
	keptKeys = 8
)

// of returns the cache of a connection key.
func (s *sessions) of(key string) tls.ClientSessionCache {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cache := s.caches[key]; cache != nil {
		return cache
	}
	if s.caches == nil {
		s.caches = make(map[string]tls.ClientSessionCache)
	}
	if len(s.order) == keptKeys {
		delete(s.caches, s.order[0])
		s.order = s.order[1:]
	}
	cache := tls.NewLRUClientSessionCache(keptSessions)
	s.caches[key], s.order = cache, append(s.order, key)
	return cache
}
