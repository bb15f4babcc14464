package smtptest

import "time"

// finalForEach gives a verdict on a content that was read for each of its
// recipients, in the order of RCPT (RFC 2033 §4.2, §4.3). Who is accepted is
// decided and stored before the first of them is told.
func (s *session) finalForEach() error {
	now := time.Now()
	id := string(findMessageID(s.tx.content.head))
	reply, counted := s.checkFinal(now)
	verdicts := s.judgeEach(reply)
	all := len(s.tx.to)
	s.keepHolders(verdicts)
	if counted && len(s.tx.to) == 0 {
		s.server.giveBack(true, now, all)
	}
	if len(s.tx.to) == 0 {
		s.ledger.rejected.Add(1)
	} else if err := s.accept(id, now); err != nil {
		s.ledger.rejected.Add(1)
		verdicts = forEach(verdicts, cannotStore)
	} else {
		s.afterEach(verdicts)
	}
	s.leaveTransaction(len(s.tx.to) == 0)
	return s.answerEach(verdicts)
}

// judgeEach ends at a fault that ends the session: nobody behind it is accepted.
// Without any recipient there is one verdict all the same, as RFC 2033 knows no
// such content.
func (s *session) judgeEach(ordinary Reply) (verdicts []verdict) {
	if len(s.tx.to) == 0 {
		return []verdict{s.judge(PhaseFinal, nil, ordinary)}
	}
	for _, address := range s.tx.to {
		v := s.judge(PhaseFinal, []byte(address), ordinary)
		v.about = address
		if verdicts = append(verdicts, v); v.fault != nil && v.fault.Action.ends() {
			break
		}
	}
	return verdicts
}

// keepHolders leaves those recipients in the transaction who get the message.
func (s *session) keepHolders(verdicts []verdict) {
	var to, params []string
	for i := range s.tx.to {
		if i < len(verdicts) && verdicts[i].holds() {
			to, params = append(to, s.tx.to[i]), append(params, s.tx.rcpts[i])
		}
	}
	s.tx.to, s.tx.rcpts = to, params
}

// afterEach looks for faults after the message was accepted.
func (s *session) afterEach(verdicts []verdict) {
	for i := range verdicts {
		v := &verdicts[i]
		if !v.holds() || v.fault != nil {
			continue
		}
		if v.fault = s.strikes(PhaseAfterFinal); v.fault != nil && v.fault.Action == Answer {
			v.reply = v.fault.Reply
		}
	}
}

func forEach(verdicts []verdict, r Reply) []verdict {
	for i := range verdicts {
		verdicts[i] = verdict{reply: r, about: verdicts[i].about}
	}
	return verdicts
}

func (s *session) answerEach(verdicts []verdict) error {
	if s.config.Quirks.OneFinalReply {
		verdicts = verdicts[:1]
	}
	for _, v := range verdicts {
		s.arg = []byte(v.about)
		if err := s.answer(v); err != nil {
			return err
		}
	}
	return nil
}
