package uplink

import (
	"encoding/json"
	"strings"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/bus"
	"github.com/astrid-go/astrid/principal"
)

// egress is one subscription of the server and which of its messages go out.
type egress struct {
	pattern string
	// only, unless empty, narrows a pattern that is wide so that its topics keep
	// their order among each other.
	only []string
	// not excludes topics below a prefix: what clients say to each other's
	// questions is not for them.
	not string
	// everybody sends the kernel's own messages to every proved principal.
	everybody bool
}

// egressTopics is what clients get to see. Replies of the kernel are not here:
// they never go over the bus.
var egressTopics = [...]egress{
	{pattern: "agent.v1.*", only: []string{"agent.v1.response", "agent.v1.stream.delta"}},
	{pattern: "astrid.v1.onboarding.required"},
	{pattern: "astrid.v1.elicit"},
	{pattern: "astrid.v1.elicit.*", not: "astrid.v1.elicit.response."},
	{pattern: "astrid.v1.approval"},
	{pattern: "astrid.v1.capsules_loaded", everybody: true},
	{pattern: "registry.v1.response.*"},
	{pattern: "registry.v1.active_model_changed"},
	{pattern: "registry.v1.selection.*"},
	{pattern: "session.v1.response.*"},
	{pattern: "cli.v1.command.result.*"},
	{pattern: "tool.v1.execute.*.result"},
}

// topicLagged tells a client that messages for its principal were lost.
const topicLagged = "astrid.v1.event_bus.lagged"

// batchBytes bounds what is taken from the bus at a time.
const batchBytes = 1 << 20

// subscribe starts one goroutine a subscription. Each ends when Shutdown closes
// its subscription, and is waited for there.
func (s *Server) subscribe() error {
	for _, e := range egressTopics {
		pattern, err := bus.ParsePattern(e.pattern)
		if err != nil {
			return err
		}
		feed, err := s.config.Bus.Subscribe(pattern, bus.SubscribeOptions{Name: "uplink " + e.pattern})
		if err != nil {
			return err
		}
		s.feeds = append(s.feeds, feed)
		s.goroutines.Go(func() { s.feed(feed, e) })
	}
	return nil
}

// unsubscribe ends the goroutines of subscribe.
func (s *Server) unsubscribe() {
	for _, feed := range s.feeds {
		feed.Close()
	}
}

func (s *Server) feed(sub *bus.Subscription, e egress) {
	var to []*connection // scratch
	for {
		batch, err := sub.RecvBatch(s.root, batchBytes)
		if err != nil {
			return
		}
		if lost := batch.Dropped + batch.Lagged; lost > 0 && len(batch.Messages) > 0 {
			s.tellLoss(batch.Messages[0].From.Principal(), e.pattern, lost)
		}
		for _, m := range batch.Messages {
			if to = s.audience(to[:0], e, m); len(to) > 0 {
				s.forward(to, m)
			}
		}
		clear(to)
	}
}

// audience appends the connections that get a message.
func (s *Server) audience(to []*connection, e egress, m bus.Message) []*connection {
	topic := m.Topic.String()
	if e.not != "" && strings.HasPrefix(topic, e.not) || !e.sends(topic) {
		return to
	}
	if _, isResult := api.ToolOfResultTopic(topic); isResult {
		if c := s.release(callOf(m)); c != nil {
			return append(to, c)
		}
		s.counters.unclaimed.Add(1)
		return to
	}
	id := m.From.Principal()
	if !id.IsZero() {
		return s.connectionsOf(to, id)
	}
	if !e.everybody {
		s.counters.unaddressed.Add(1)
		return to
	}
	for _, c := range s.connections() {
		if c.id != principal.Anonymous() {
			to = append(to, c)
		}
	}
	return to
}

func (e egress) sends(topic string) bool {
	if len(e.only) == 0 {
		return true
	}
	for _, t := range e.only {
		if t == topic {
			return true
		}
	}
	return false
}

func (s *Server) connectionsOf(to []*connection, id principal.ID) []*connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open[id] {
		to = append(to, c)
	}
	return to
}

// forward queues a message for its audience; the frame is made once.
func (s *Server) forward(to []*connection, m bus.Message) {
	frame, err := encode(api.Message{
		Topic: m.Topic.String(), Payload: m.Payload, SourceID: m.Source.String(),
		Principal: m.From.Principal().String(),
	})
	if err != nil {
		s.counters.unsendable.Add(1)
		s.log.Warn("message fits no frame", "topic", m.Topic, "error", err)
		s.excuse(to, m)
		return
	}
	for _, c := range to {
		c.send(frame)
	}
}

// excuse answers a call whose result cannot be sent.
func (s *Server) excuse(to []*connection, m bus.Message) {
	tool, ok := api.ToolOfResultTopic(m.Topic.String())
	if !ok {
		return
	}
	for _, c := range to {
		c.refuse(address{topic: api.ToolTopic(tool), callID: callOf(m).id}, &api.Error{
			Code: api.CodeTooLarge, Message: "the result of the tool does not fit into a frame", Hint: "ask for less at a time",
		})
	}
}

// tellLoss sends the marker of a gap.
func (s *Server) tellLoss(id principal.ID, pattern string, lost uint64) {
	payload, err := json.Marshal(map[string]any{"pattern": pattern, "lost": lost})
	if err != nil {
		return // a string and a number always encode
	}
	for _, c := range s.connectionsOf(nil, id) {
		c.sendMessage(topicLagged, payload)
	}
}
